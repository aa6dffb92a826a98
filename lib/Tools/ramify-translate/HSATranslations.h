// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSATranslations.h - Levels of a program in ramify-translate -*- C++ -*-//

#ifndef RAMIFY_LIB_TOOLS_HSATRANSLATIONS_H
#define RAMIFY_LIB_TOOLS_HSATRANSLATIONS_H

namespace ramify {

/// --hsa-to-tile and the like, for the target of --target.
void registerHSATranslations();

/// --plan-to-text, from a tile.plan.
void registerPlanTranslation();

} // namespace ramify

#endif // RAMIFY_LIB_TOOLS_HSATRANSLATIONS_H
