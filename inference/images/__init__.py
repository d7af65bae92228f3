"""The picture mathematics of Easel: pure functions over Pillow pictures and numpy arrays.

One range convention holds everywhere, unless a docstring says otherwise:

* A picture is a PIL image, `RGB` or `RGBA`, 8 bits a channel; alpha is straight, not premultiplied.
* A mask is a PIL image of mode `L`, 0–255, the size of its picture; white (255) is what changes.
* An array is float32, 0–1, height × width × channels (HWC); a mask array is height × width.
* A size is (width, height) and a box (left, upper, right, lower), both in pixels, as in Pillow.
* Chance comes from a seed or a generator that the caller passes; nothing here keeps state.

The package itself imports nothing, so that each part costs only what it needs.
"""
