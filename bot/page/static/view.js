// Looking at the picture: how large and where, by pointers, wheel and keys.

const LEAST = 0.05, MOST = 32;

export class View {
  constructor(viewport, stage, width, height, onChange) {
    Object.assign(this, { viewport, stage, width, height, onChange });
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    stage.style.width = `${width}px`;
    stage.style.height = `${height}px`;
    this.fitted = true;
    new ResizeObserver(() => { if (this.fitted) this.fit(); }).observe(viewport);
    this.fit();
  }

  /** Show all of the picture, in the middle. */
  fit() {
    const room = this.viewport.getBoundingClientRect();
    const scale = Math.min((room.width - 16) / this.width, (room.height - 16) / this.height);
    this.scale = Math.min(MOST, Math.max(LEAST, scale));
    this.x = (room.width - this.width * this.scale) / 2;
    this.y = (room.height - this.height * this.scale) / 2;
    this.apply();
    this.fitted = true;
  }

  /** Enlarge by a factor about a point of the viewport; the middle where none is named. */
  zoom(factor, clientX, clientY) {
    const room = this.viewport.getBoundingClientRect();
    const atX = (clientX ?? room.left + room.width / 2) - room.left;
    const atY = (clientY ?? room.top + room.height / 2) - room.top;
    const scale = Math.min(MOST, Math.max(LEAST, this.scale * factor));
    this.x = atX - (atX - this.x) * scale / this.scale;
    this.y = atY - (atY - this.y) * scale / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.apply();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.apply();
  }

  apply() {
    // A strip of the picture stays in sight, wherever it is moved.
    const room = this.viewport.getBoundingClientRect(), strip = 48;
    this.x = Math.min(room.width - strip, Math.max(strip - this.width * this.scale, this.x));
    this.y = Math.min(room.height - strip, Math.max(strip - this.height * this.scale, this.y));
    this.stage.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.onChange(this.scale);
  }

  /** Return where a pointer is in the picture, in pixels of a canvas of that width over it. */
  locate(clientX, clientY, width) {
    const room = this.viewport.getBoundingClientRect();
    const factor = width / this.width / this.scale;
    return {
      x: (clientX - room.left - this.x) * factor,
      y: (clientY - room.top - this.y) * factor,
    };
  }
}
