// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Translates between IR and other texts: the LLVM dialect to PTX and LLVM IR.

#include "ramify/Target/Translations.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

int main(int argc, char **argv) {
  ramify::registerTargetTranslations();
  return failed(
      mlir::mlirTranslateMain(argc, argv, "Ramify translation driver"));
}
