// What mouse, pen, fingers and keys do on the picture.

const STEP = 8; // pixels of the mask that an arrow key moves the brush

export class Pointers {
  /** @param desk {view, mask, tool(), brush(), changed(), moved(point), say(words), texts} */
  constructor(viewport, desk) {
    this.viewport = viewport;
    this.desk = desk;
    this.fingers = new Map(); // pointer id -> last event
    this.drawing = null; // the pointer that draws
    this.panning = null;
    this.penSeen = false;
    this.spaceHeld = false;
    this.key = null; // where the keyboard's brush is
    this.keyDown = false;
    viewport.addEventListener("pointerdown", (event) => this.down(event));
    viewport.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      viewport.addEventListener(name, (event) => this.up(event));
    }
    viewport.addEventListener("pointerleave", () => desk.moved(null));
    viewport.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    viewport.addEventListener("keydown", (event) => this.keyPressed(event));
    viewport.addEventListener("blur", () => this.liftKey());
    viewport.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  down(event) {
    this.viewport.focus({ preventScroll: true });
    event.preventDefault();
    this.liftKey();
    this.viewport.setPointerCapture(event.pointerId);
    if (event.pointerType === "pen") this.penSeen = true;
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, event);
      if (this.fingers.size > 1) { // two fingers look, they do not draw
        if (this.drawing !== null) { this.desk.mask.abandon(); this.drawing = null; }
        this.panning = null;
        return;
      }
    }
    const pans = this.desk.tool() === "pan" || event.button === 1
      || (event.pointerType === "touch" && this.penSeen); // the hand that rests beside a pen
    if (pans) { this.panning = event; return; }
    if (event.button !== 0 && event.button !== 5) return;
    this.drawing = event.pointerId;
    const erases = event.button === 5; // the other end of a pen
    this.desk.mask.begin(this.desk.brush(erases), this.point(event));
  }

  move(event) {
    if (event.pointerType === "touch" && this.fingers.has(event.pointerId)) {
      if (this.fingers.size === 2) this.pinch(event);
      this.fingers.set(event.pointerId, event);
    }
    if (this.panning && this.panning.pointerId === event.pointerId) {
      this.desk.view.pan(event.clientX - this.panning.clientX, event.clientY - this.panning.clientY);
      this.panning = event;
    }
    if (this.drawing === event.pointerId) {
      const events = event.getCoalescedEvents?.() ?? [];
      this.desk.mask.extend((events.length ? events : [event]).map((each) => this.point(each)));
    }
    this.desk.moved(event.pointerType === "touch" ? null : this.point(event));
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    if (this.panning?.pointerId === event.pointerId) this.panning = null;
    if (this.drawing !== event.pointerId) return;
    this.drawing = null;
    if (event.type === "pointercancel") this.desk.mask.abandon();
    else this.desk.mask.end();
    this.desk.changed();
  }

  pinch(event) {
    const other = [...this.fingers.values()].find((each) => each.pointerId !== event.pointerId);
    const before = this.fingers.get(event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middleX = (event.clientX + other.clientX) / 2, middleY = (event.clientY + other.clientY) / 2;
    this.desk.view.pan((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    if (apart(before) > 8) this.desk.view.zoom(apart(event) / apart(before), middleX, middleY);
  }

  wheel(event) {
    event.preventDefault();
    this.desk.view.zoom(Math.exp(-event.deltaY / (event.ctrlKey ? 120 : 500)),
      event.clientX, event.clientY);
  }

  point(event) {
    const pressure = event.pointerType === "pen" && event.pressure > 0
      ? Math.min(1.5, 0.25 + 1.5 * event.pressure) : 1;
    return { ...this.desk.view.locate(event.clientX, event.clientY, this.desk.mask.width), pressure };
  }

  keyPressed(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const mask = this.desk.mask;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      event.preventDefault();
      if (event.repeat) return;
      this.key ??= { x: mask.width / 2, y: mask.height / 2, pressure: 1 };
      if (this.keyDown) { this.liftKey(); return; }
      if (this.desk.tool() === "pan") return;
      this.keyDown = true;
      mask.begin(this.desk.brush(false), { ...this.key });
      this.desk.moved(this.key);
      this.desk.say(this.desk.texts.penDown);
    } else if (moves[event.key]) {
      event.preventDefault();
      const [dx, dy] = moves[event.key].map((way) => way * (event.shiftKey ? 1 : STEP));
      if (this.desk.tool() === "pan") { this.desk.view.pan(-4 * dx, -4 * dy); return; }
      this.key ??= { x: mask.width / 2, y: mask.height / 2, pressure: 1 };
      this.key.x = Math.min(mask.width, Math.max(0, this.key.x + dx));
      this.key.y = Math.min(mask.height, Math.max(0, this.key.y + dy));
      if (this.keyDown) mask.extend([{ ...this.key }]);
      this.desk.moved(this.key);
    } else if (event.key === "Escape" && this.keyDown) {
      this.keyDown = false;
      mask.abandon();
    }
  }

  liftKey() {
    if (!this.keyDown) return;
    this.keyDown = false;
    this.desk.mask.end();
    this.desk.changed();
  }
}
