// Which part is worked on with "only masked", as the operation chooses it.

/** Return how far a blur of σ pixels reaches: its gaussian is cut there. */
export function blurReach(sigma) {
  return sigma > 0 ? Math.floor(2.5 * sigma + 0.5) : 0;
}

function growSpan(near, far, by, limit) {
  near -= Math.floor(by / 2);
  far += by - Math.floor(by / 2);
  if (far > limit) { near -= far - limit; far = limit; }
  if (near < 0) { far -= near; near = 0; }
  return [near, Math.min(far, limit)];
}

/** Return the box that is cut out, in pixels of the picture, and how much larger it is worked on. */
export function chooseRegion(box, size, render, blur, padding) {
  const reach = blurReach(blur) + padding;
  let left = Math.max(0, box.left - reach), right = Math.min(size.width, box.right + reach);
  let upper = Math.max(0, box.upper - reach), lower = Math.min(size.height, box.lower + reach);
  const ratio = render.width / render.height;
  if ((right - left) / (lower - upper) > ratio) {
    const missing = Math.trunc((right - left) / ratio - (lower - upper));
    [upper, lower] = growSpan(upper, lower, missing, size.height);
  } else {
    const missing = Math.trunc((lower - upper) * ratio - (right - left));
    [left, right] = growSpan(left, right, missing, size.width);
  }
  const gain = Math.min(render.width / (right - left), render.height / (lower - upper));
  return { left, upper, right, lower, gain };
}
