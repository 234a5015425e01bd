"""Which processors count as fast in bfloat16 and with oneDNN, by the flags of other machines."""

from dataclasses import replace

import pytest
import torch

from gan.core import hardware
from gan.core.hardware import Processor, device_type, has_fast_bfloat16, made_by_amd, processor

ZEN4 = Processor(
    name="AMD EPYC 9004",
    amd=True,
    architecture="x86_64",
    instructions="AVX512",
    flags=frozenset({"avx2", "avx512_f", "avx512_bf16"}),
    onednn=True,
)
ZEN3 = replace(ZEN4, instructions="AVX2", flags=frozenset({"avx2"}))
XEON = replace(ZEN4, name="Intel Xeon", amd=False)
APPLE = Processor("Apple M3", False, "arm64", "DEFAULT", frozenset({"bf16"}), onednn=False)


@pytest.mark.parametrize(
    ("cpu", "bfloat16", "onednn"),
    [
        (ZEN4, True, True),
        (ZEN3, False, False),
        (replace(ZEN4, flags=ZEN4.flags - {"avx512_bf16"}), False, True),  # AVX-512 that emulates bfloat16
        (replace(ZEN4, instructions="AVX2"), False, False),  # ATEN_CPU_CAPABILITY=avx2: get_capabilities ignores it
        (replace(ZEN4, onednn=False), False, False),
        (XEON, True, False),
        (replace(XEON, flags=frozenset({"avx512_f", "amx_bf16"})), True, False),
        (APPLE, False, False),
        (replace(APPLE, architecture="aarch64", onednn=True), True, False),
        (replace(APPLE, architecture="aarch64", onednn=True, flags=frozenset()), False, False),
    ],
)
def test_fast_bfloat16_and_onednn_follow_from_cpu_flags(cpu, bfloat16, onednn):
    assert (cpu.fast_bfloat16, cpu.fast_onednn) == (bfloat16, onednn)
    assert ("bfloat16 fast" in str(cpu), "by oneDNN" in str(cpu)) == (bfloat16, onednn)


def test_processor_matches_torch():
    found = processor()
    assert found.name
    assert found.instructions == torch.backends.cpu.get_cpu_capability()
    assert found.onednn == torch.backends.mkldnn.is_available()
    assert found is processor()


def test_torch_without_get_capabilities_counts_as_slow(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    found = processor.__wrapped__()
    assert found.name
    assert not found.fast_bfloat16
    assert not found.fast_onednn


def test_amd_is_recognized_when_a_virtual_machine_renames_the_cpu(tmp_path, monkeypatch):
    monkeypatch.delenv("PROCESSOR_IDENTIFIER", raising=False)
    (tmp_path / "cpuinfo").write_text("vendor_id\t: AuthenticAMD\nmodel name\t: Common KVM processor\n")
    assert made_by_amd("Common KVM processor", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("vendor_id\t: GenuineIntel\n")
    assert not made_by_amd("Common KVM processor", tmp_path / "cpuinfo")
    assert made_by_amd("AMD Ryzen", tmp_path / "missing")
    assert not made_by_amd("x86", tmp_path / "missing")
    monkeypatch.setenv("PROCESSOR_IDENTIFIER", "AMD64 Family 25 Model 80 Stepping 0, AuthenticAMD")
    assert made_by_amd("x86", tmp_path / "missing")


@pytest.mark.parametrize(("capabilities", "fast"), [([(8, 0)], True), ([(9, 0), (7, 5)], False), ([(12, 1)], True)])
def test_gpu_with_lowest_capability_decides_on_bfloat16(monkeypatch, capabilities, fast):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(capabilities))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda i: capabilities[i])
    answer, reason = has_fast_bfloat16("cuda")
    assert answer is fast
    assert ".".join(map(str, min(capabilities))) in reason


@pytest.mark.parametrize(("cpu", "fast"), [(ZEN4, True), (ZEN3, False)])
def test_reason_for_fast_bfloat16_names_the_processor(monkeypatch, cpu, fast):
    monkeypatch.setattr(hardware, "processor", lambda: cpu)
    assert has_fast_bfloat16("cpu") == (
        fast,
        "this processor has bfloat16 instructions" if fast else "this processor emulates bfloat16",
    )


@pytest.mark.parametrize(
    ("accelerator", "cuda", "mps", "expected"),
    [
        ("auto", True, False, "cuda"),
        ("auto", False, True, "mps"),
        ("auto", False, False, "cpu"),
        ("cpu", True, False, "cpu"),
        ("gpu", True, False, "cuda"),
        ("mps", False, True, "mps"),
    ],
)
def test_device_type_of_each_accelerator(monkeypatch, accelerator, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device_type(accelerator) == expected
