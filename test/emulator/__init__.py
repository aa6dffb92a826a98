# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a compiled function's PTX without a GPU, to find what only some orders of warps show.

`Emulation(plan, ptx).call(arguments)` carries out the plan of a function: it allocates arrays,
evaluates sizes and runs each launch. A kernel's basic blocks are translated to Python, which
computes for the 32 lanes of a warp at a time with NumPy. Blocks run one after the other in random
order, and the warps of a block in random order from barrier to barrier. Registers, shared memory
and results start as junk, so that code that relies on their content goes wrong.

What `report` lists, by kernel and line of the PTX:

- races: accesses of a word, at least one of them a write, that no barrier orders, be they of
  different warps, of lanes of a warp without `bar.warp.sync`, or of different blocks of a launch;
- reads of words that nothing wrote, and `ld.global.nc` of what the launch writes;
- operands of wgmma that no `fence.proxy.async` follows, or that change before they are waited for;
- asynchronous copies that a warp does not wait for; data arrives only when it is waited for.

What raises `FaultError`: accesses that are misaligned or outside of arrays, warp-wide instructions
that not all lanes reach, and warps that end where others wait at a barrier.

What it does not check:

- rounding within tensor cores: products are summed in float64 and rounded once; approximate
  functions such as `ex2.approx` are computed exactly;
- races by less than words of four bytes: warps that write halves of a word are reported, though
  that is none; and of a word that several lanes of a warp read, a later write by its last lane;
- wgmma without `wgmma.fence`;
- what ptxas does with the PTX, and how long anything takes;
- results of wgmma that are read before `wgmma.wait_group`: they are there at once;
- atomics and reductions, which are carried out but not considered in the search for races, and
  `membar`: blocks that wait for one another would wait for ever;
- copies by tensor maps (TMA) and everything else that raises `UnsupportedError`.
"""

from emulator.emulation import Emulation
from emulator.report import FaultError, Report, UnsupportedError

__all__ = ["Emulation", "FaultError", "Report", "UnsupportedError"]
