// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Translates between IR and other texts: programs of the hsa dialect to every
// level below, the LLVM dialect to PTX, LLVM IR and objects.

#include "HSATranslations.h"

#include "ramify/Target/Translations.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

int main(int argc, char **argv) {
  ramify::registerHSATranslations();
  ramify::registerPlanTranslation();
  ramify::registerTargetTranslations();
  return failed(
      mlir::mlirTranslateMain(argc, argv, "Ramify translation driver"));
}
