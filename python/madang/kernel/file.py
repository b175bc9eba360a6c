"""Files: locked in whole or in part, mapped and grown, replaced in one step, and followed while they grow.

with madang.file.File("counter", length=8) as f, f.lock(timeout=5):  # nobody else has it
    number = memoryview(f.map()).cast("Q")
    number[0] += 1

madang.file.replace("settings.json", b"{}")  # nobody ever reads half of it
"""

from .._madang.kernel.file import File, Follow, Guard, Holder, replace

__all__ = ["File", "Follow", "Guard", "Holder", "replace"]
