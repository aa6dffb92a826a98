// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Translations.h - Text outputs of ramify-translate --------*- C++ -*-===//

#ifndef RAMIFY_TARGET_TRANSLATIONS_H
#define RAMIFY_TARGET_TRANSLATIONS_H

namespace ramify {

/// --llvm-to-ptx and --llvm-to-nvptx-ir, for the architecture of --arch;
/// --llvm-to-cpu-object, --llvm-to-cpu-ir and --llvm-to-cpu-asm for the
/// processor that it runs on.
void registerTargetTranslations();

} // namespace ramify

#endif // RAMIFY_TARGET_TRANSLATIONS_H
