"""Tell by their words what errors of devices mean: no memory, a device that is lost, no kernels.

Torch has classes for few of them; the words are those of CUDA, cuDNN, cuBLAS, of ROCm's HIP, MIOpen
and hipBLAS, of Metal and of torch itself.
"""

from __future__ import annotations

import torch

#: How libraries spell a lack of memory where they do not raise torch's own class. The last three
#: are what cuDNN and cuBLAS say when there is no room for the handle or the working space they ask
#: for.
OUT_OF_MEMORY_MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "alloc_failed",
    "allocfailed",
    "not enough memory",
    "unable to find an engine",
    "cudnn_status_not_initialized",
    "blas_status_not_initialized",
)
#: After these every further call of the process fails, or cannot be believed.
DEVICE_LOST_MESSAGES = (
    "cuda error",
    "hip error",
    "cuda driver error",
    "xpu error",
    "status_execution_failed",
    "status_internal_error",
    "status_mapping_error",
    "miopenstatusunknownerror",
    "miopenstatusinternalerror",
    "gpu is lost",
    "device lost",
    "device_lost",
    "fell off the bus",
    "command buffer exited with error",
)
#: A card that this build of torch has no code for.
NO_KERNEL_MESSAGES = (
    "no kernel image is available",
    "invalid device function",
    "not compiled for",
    "not compatible with the current pytorch",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell an allocation failure from other errors, however it is spelled."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _says(error, OUT_OF_MEMORY_MESSAGES)


def is_device_lost(error: BaseException) -> bool:
    """Recognise errors after which every further call on a device fails too."""
    is_named = isinstance(error, RuntimeError) and _says(error, DEVICE_LOST_MESSAGES)
    return is_named and not is_out_of_memory(error)


def lacks_kernels(error: BaseException) -> bool:
    """Recognise a card that torch was not built for: too old, or newer than it."""
    return isinstance(error, RuntimeError) and _says(error, NO_KERNEL_MESSAGES)


def _says(error: BaseException, messages: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(message in text for message in messages)
