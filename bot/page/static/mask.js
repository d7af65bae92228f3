// The mask: what was drawn, one step after the other, on a canvas of the mask's own pixels.

const TINT = "#ff2d78";
const FAR = 20000; // pixels that a shape lies beside the canvas while its soft shadow falls on it
const KEPT = 24; // steps between two canvases that are kept for undoing

/** Make a canvas that is not shown. */
function spareCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

export class Mask {
  /** @param canvas shown over the picture; its alpha is the mask. */
  constructor(canvas, width, height) {
    canvas.width = width;
    canvas.height = height;
    this.canvas = canvas;
    this.width = width;
    this.height = height;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.base = spareCanvas(width, height); // before the step that is being drawn
    this.scratch = spareCanvas(width, height);
    this.steps = []; // all that can be undone or is drawn, in order
    this.count = 0; // how many of them are drawn
    this.current = null;
    this.kept = new Map(); // step count -> canvas
  }

  /** Return all that is drawn, to go on with after the page was left by accident. */
  get draft() { return JSON.stringify(this.steps.slice(0, this.count)); }

  set draft(text) {
    this.steps = JSON.parse(text);
    this.go(this.steps.length);
  }

  /** Begin a step: {tool, erase, size, softness} in mask pixels, with its first point. */
  begin(step, point) {
    this.base.getContext("2d").clearRect(0, 0, this.width, this.height);
    this.base.getContext("2d").drawImage(this.canvas, 0, 0);
    this.current = { ...step, points: [point] };
    this.show(this.current);
  }

  extend(points) {
    if (!this.current) return;
    this.current.points.push(...points);
    this.show(this.current);
  }

  /** End the step and keep it. */
  end() {
    const step = this.current;
    this.current = null;
    if (step) this.keep(step);
  }

  /** Forget the step that is being drawn. */
  abandon() {
    if (!this.current) return;
    this.current = null;
    this.restore(this.base);
  }

  /** Swap inside and outside, or clear it all: a step without points. */
  apply(tool) {
    this.abandon();
    this.paint(this.context, { tool, points: [] });
    this.keep({ tool, points: [] });
  }

  undo() { this.abandon(); if (this.count > 0) this.go(this.count - 1); }
  redo() { this.abandon(); if (this.count < this.steps.length) this.go(this.count + 1); }
  get canUndo() { return this.count > 0; }
  get canRedo() { return this.count < this.steps.length; }

  keep(step) {
    this.steps.length = this.count;
    for (const at of this.kept.keys()) if (at > this.count) this.kept.delete(at);
    this.steps.push(step);
    this.count += 1;
    if (this.count % KEPT === 0) {
      const canvas = spareCanvas(this.width, this.height);
      canvas.getContext("2d").drawImage(this.canvas, 0, 0);
      this.kept.set(this.count, canvas);
      if (this.kept.size > 3) this.kept.delete(this.kept.keys().next().value);
    }
  }

  go(count) {
    const from = Math.max(0, ...[...this.kept.keys()].filter((at) => at <= count));
    this.context.clearRect(0, 0, this.width, this.height);
    if (from) this.context.drawImage(this.kept.get(from), 0, 0);
    for (const step of this.steps.slice(from, count)) this.paint(this.context, step);
    this.count = count;
  }

  restore(canvas) {
    this.context.clearRect(0, 0, this.width, this.height);
    this.context.drawImage(canvas, 0, 0);
  }

  show(step) { this.restore(this.base); this.paint(this.context, step); }

  paint(context, step) {
    context.save();
    context.fillStyle = TINT;
    if (step.tool === "clear") {
      context.clearRect(0, 0, this.width, this.height);
    } else if (step.tool === "invert") {
      context.globalCompositeOperation = "xor";
      context.fillRect(0, 0, this.width, this.height);
    } else {
      const shape = this.scratch.getContext("2d");
      shape.clearRect(0, 0, this.width, this.height);
      drawShape(shape, step);
      context.globalCompositeOperation = step.erase ? "destination-out" : "source-over";
      if (step.softness > 0) {
        context.shadowColor = TINT;
        context.shadowBlur = step.softness;
        context.shadowOffsetX = FAR;
        context.drawImage(this.scratch, -FAR, 0);
      } else {
        context.drawImage(this.scratch, 0, 0);
      }
    }
    context.restore();
  }

  /** Return the box around all that counts, {left, upper, right, lower}, and the share marked. */
  measure() {
    const data = this.context.getImageData(0, 0, this.width, this.height).data;
    let left = this.width, right = 0, upper = this.height, lower = 0, marked = 0;
    for (let y = 0, at = 3; y < this.height; y += 1) {
      for (let x = 0; x < this.width; x += 1, at += 4) {
        if (data[at] <= 128) continue; // as the operation cuts it
        marked += 1;
        if (x < left) left = x;
        if (x >= right) right = x + 1;
        if (y < upper) upper = y;
        lower = y + 1;
      }
    }
    const share = marked / (this.width * this.height);
    return { box: marked ? { left, upper, right, lower } : null, share };
  }

  /** Return the mask as a PNG in base64: white, as clear as little counts. */
  async encode() {
    const canvas = spareCanvas(this.width, this.height);
    const context = canvas.getContext("2d");
    context.drawImage(this.canvas, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, this.width, this.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) {
      text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    }
    return btoa(text);
  }
}

function drawShape(context, step) {
  const points = step.points;
  context.fillStyle = TINT;
  context.strokeStyle = TINT;
  context.lineCap = "round";
  context.lineJoin = "round";
  if (step.tool === "rectangle") {
    const first = points[0], last = points[points.length - 1];
    context.fillRect(Math.min(first.x, last.x), Math.min(first.y, last.y),
      Math.abs(last.x - first.x), Math.abs(last.y - first.y));
    return;
  }
  if (step.tool === "lasso") {
    context.beginPath();
    points.forEach((point, at) => at ? context.lineTo(point.x, point.y)
      : context.moveTo(point.x, point.y));
    context.closePath();
    context.fill();
    return;
  }
  // The blur's σ is half the softness: so the middle still counts in full, the rim not at all.
  const core = Math.max(1, step.size - 2 * step.softness);
  points.forEach((point, at) => {
    const before = points[Math.max(0, at - 1)];
    context.lineWidth = Math.max(1, core * point.pressure);
    context.beginPath();
    context.moveTo(before.x, before.y);
    context.lineTo(point.x, point.y + (points.length === 1 ? 0.01 : 0));
    context.stroke();
  });
}
