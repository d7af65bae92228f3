"""Texts of errors as libraries write them, and what the engine takes them for."""

import pytest
import torch

from inference.runtime.device_errors import is_device_lost, is_out_of_memory, lacks_kernels

HINT = (
    "\nCUDA kernel errors might be asynchronously reported at some other API call, so the "
    "stacktrace below might be incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1"
)
OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.79 GiB of "
    "which 12.19 MiB is free.",
    "HIP out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 15.98 GiB",
    "XPU out of memory. Tried to allocate 2.00 GiB.",
    "MPS backend out of memory (MPS allocated: 17.54 GB, other allocations: 380.64 MB, max "
    "allowed: 18.13 GB). Tried to allocate 576.00 MB on private pool.",
    "CUDA error: out of memory" + HINT,
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "CUDA error: HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`",
    "miopenStatusAllocFailed",
    "Unable to find an engine to execute this computation",
    "FIND was unable to find an engine to execute this computation",
    "GET was unable to find an engine to execute this computation",
    "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 68719476736 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried "
    "to allocate 17179869184 bytes.",
)
LOST = (
    "CUDA error: an illegal memory access was encountered" + HINT,
    "CUDA error: unspecified launch failure" + HINT,
    "CUDA error: device-side assert triggered" + HINT,
    "CUDA error: the launch timed out and was terminated" + HINT,
    "CUDA error: uncorrectable ECC error encountered" + HINT,
    "CUDA error: unknown error" + HINT,
    "CUDA driver error: unknown error",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx( handle, opa, opb, m, n,"
    " k, alpha_ptr, a, CUDA_R_16F, lda, b, CUDA_R_16F, ldb, beta_ptr, c, CUDA_R_16F, ldc)`",
    "CUDA error: CUBLAS_STATUS_INTERNAL_ERROR when calling `cublasLtMatmul( ltHandle, ...)`",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
    "cuDNN error: CUDNN_STATUS_MAPPING_ERROR",
    "HIP error: an illegal memory access was encountered\nHIP kernel errors might be "
    "asynchronously reported at some other API call",
    "HIP error: unspecified launch failure",
    "HIP error: the operation cannot be performed in the present state",
    "CUDA error: HIPBLAS_STATUS_INTERNAL_ERROR when calling `hipblasGemmEx( handle, ...)`",
    "miopenStatusUnknownError",
    "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.  Reboot the system "
    "to recover this GPU",
    "level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)",
    "Command buffer exited with error status.\n\tThe Metal Performance Shaders operations encoded "
    "on it may not have completed.",
)
NO_KERNELS = (
    "CUDA error: no kernel image is available for execution on the device" + HINT,
    "HIP error: invalid device function\nHIP kernel errors might be asynchronously reported",
    "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current "
    "PyTorch installation.",
)
OTHERS = (
    "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and "
    "cpu!",
    "mat1 and mat2 shapes cannot be multiplied (77x768 and 1024x320)",
    "Given groups=1, weight of size [320, 9, 3, 3], expected input[2, 4, 64, 64] to have 9 "
    "channels, but got 4 channels instead",
    "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed in a "
    "non-contiguous input.",
    "cuDNN error: CUDNN_STATUS_BAD_PARAM",
    "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
    "Please use float32 instead.",
    "\"addmm_impl_cpu_\" not implemented for 'Half'",
)


@pytest.mark.parametrize("text", OUT_OF_MEMORY)
def test_a_lack_of_memory_is_one_however_it_is_spelled(text):
    error = RuntimeError(text)
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


@pytest.mark.parametrize("text", LOST)
def test_a_lost_device_is_known_by_every_librarys_words(text):
    error = RuntimeError(text)
    assert is_device_lost(error)
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("text", NO_KERNELS)
def test_a_card_that_torch_was_not_built_for(text):
    assert lacks_kernels(RuntimeError(text))
    assert not is_out_of_memory(RuntimeError(text))


@pytest.mark.parametrize("text", OTHERS)
def test_other_errors_are_neither(text):
    error = RuntimeError(text)
    assert not (is_out_of_memory(error) or is_device_lost(error) or lacks_kernels(error))


def test_torchs_own_class_needs_no_words():
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert is_out_of_memory(MemoryError())


def test_words_alone_in_errors_of_jobs_mean_nothing():
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_device_lost(ValueError("CUDA error: unknown error"))
