"""Hardware capabilities: which number formats and libraries are fast on this machine.

Every answer follows from names and flags, never from a timing. On one machine it is therefore always the same, and
a run stays reproducible to the bit.
"""

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

X86 = ("x86_64", "amd64")
ARM = ("arm64", "aarch64")


@dataclass(frozen=True)
class Processor:
    """The CPU, and what torch uses of it.

    Attributes:
        name: the model, such as ``AMD EPYC``.
        amd: whether it is an AMD processor.
        architecture: ``x86_64``, ``arm64``, … in lower case.
        instructions: the instruction set of torch's own kernels: ``AVX2``, ``AVX512``, ``DEFAULT``, …
        flags: the names of all instruction sets of the CPU.
        onednn: whether torch was built with oneDNN.
    """

    name: str
    amd: bool
    architecture: str
    instructions: str
    flags: frozenset[str]
    onednn: bool

    @property
    def avx512(self) -> bool:
        """Whether the CPU has AVX-512 and torch uses it; ``ATEN_CPU_CAPABILITY`` can turn it off."""
        return "avx512_f" in self.flags and self.instructions.startswith("AVX512")

    @property
    def fast_bfloat16(self) -> bool:
        """Whether bfloat16 matrix products are faster than float32 ones.

        ``_is_mkldnn_bf16_supported`` only says that oneDNN *can* multiply in bfloat16. Without bfloat16
        instructions it converts to float32 and back, which is slower.
        """
        if self.architecture in X86:
            return self.onednn and self.avx512 and bool(self.flags & {"avx512_bf16", "amx_bf16"})
        return self.onednn and self.architecture in ARM and "bf16" in self.flags

    @property
    def fast_onednn(self) -> bool:
        """Whether oneDNN multiplies float32 matrices faster than MKL, which torch uses for linear layers.

        On AMD processors MKL uses only its AVX2 kernels, while oneDNN uses AVX-512 (2.1 times the rate). With AVX2
        alone, oneDNN takes 1.1 to 1.4 times MKL's time (docs/performance.md). Intel and ARM processors were not
        measured and keep torch's choice.
        """
        return self.onednn and self.amd and self.architecture in X86 and self.avx512

    def __str__(self) -> str:
        bfloat16 = "fast" if self.fast_bfloat16 else "emulated"
        products = "oneDNN" if self.fast_onednn else "torch's choice"
        return f"{self.name} ({self.instructions}), bfloat16 {bfloat16}, float32 products by {products}"


@cache
def processor() -> Processor:
    """This machine's CPU; the result is cached."""
    # Not every version of torch has this function; without it no special instruction set is assumed.
    capabilities: dict = getattr(torch.cpu, "get_capabilities", dict)()
    name = capabilities.get("cpu_name") or platform.machine()
    return Processor(
        name=name,
        amd=made_by_amd(name),
        architecture=platform.machine().lower(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        flags=frozenset(flag for flag, value in capabilities.items() if value is True),
        onednn=torch.backends.mkldnn.is_available(),
    )


def made_by_amd(name: str, listing: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether a CPU is made by AMD, even where a virtual machine changes its name."""
    # Windows names the vendor in an environment variable. platform.processor() reads it too, but starts a process
    # on other systems.
    named = os.environ.get("PROCESSOR_IDENTIFIER", "")
    vendor = listing.read_text(encoding="utf-8", errors="replace") if listing.is_file() else named
    return "AMD" in name or "AuthenticAMD" in vendor


def has_fast_bfloat16(device: str) -> tuple[bool, str]:
    """Whether bfloat16 is faster than float32 on this type of device.

    Args:
        device: ``cpu``, ``cuda``, ``mps``, …

    Returns:
        The answer, and its reason as a short clause.
    """
    if device == "cpu":
        fast = processor().fast_bfloat16
        return fast, "this processor has bfloat16 instructions" if fast else "this processor emulates bfloat16"
    if device == "cuda":
        major, minor = min(torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count()))
        capability = f"the GPU's compute capability is {major}.{minor}"
        return major >= 8, capability if major >= 8 else f"{capability}, bfloat16 needs 8.0"
    return False, f"bfloat16 has not been measured on {device}"


def device_type(accelerator: str) -> str:
    """The device type that Lightning's ``accelerator`` selects on this machine, such as ``cpu`` or ``cuda``."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "cuda"
    if accelerator in ("auto", "gpu") and torch.backends.mps.is_available():
        return "mps"
    return "cpu" if accelerator in ("auto", "gpu") else accelerator


def true_float32() -> None:
    """Makes convolutions on a GPU use float32, as matrix products do.

    By default cuDNN uses TensorFloat-32 for them, whose factors have ten mantissa bits. Features, and with them
    every metric, would depend on the GPU model, and ``precision=32-true`` would not be true float32.
    """
    torch.backends.cudnn.allow_tf32 = False
