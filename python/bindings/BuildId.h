// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hash that the linker wrote into this module.

#ifndef RAMIFY_BINDINGS_BUILDID_H
#define RAMIFY_BINDINGS_BUILDID_H

#include <string>

namespace ramify {

/// The GNU build id of the shared object that holds this function, in
/// hexadecimal; empty if it has none.
std::string buildId();

} // namespace ramify

#endif // RAMIFY_BINDINGS_BUILDID_H
