# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lit configuration of Ramify's dialect, pass and PTX tests."""

import os

import lit.formats

config.name = "Ramify"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".hsa", ".test"]
config.excludes = ["CMakeLists.txt", "Inputs", "snapshots"]
config.test_source_root = os.path.join(config.ramify_source_dir, "test")
config.test_exec_root = os.path.join(config.ramify_binary_dir, "test")

config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.ramify_binary_dir, "bin"),
        config.llvm_tools_dir,
        os.environ["PATH"],
    ]
)
config.environment["FILECHECK_OPTS"] = "--enable-var-scope"

# %ptxas FILE: assembles the PTX for sm_80 and sm_90a (one for sm_90a only for
# that) and fails on any warning, spill or serialised instruction.
check_ptx = os.path.join(config.test_source_root, "check_ptx.py")
config.substitutions.append(("%ptxas", f"{config.python} {check_ptx} --ptxas={config.ptxas}"))
config.substitutions.append(("%python", config.python))

if os.path.exists("/dev/nvidia0"):
    config.available_features.add("gpu")
if os.path.exists(config.ptxas):
    config.available_features.add("ptxas")
