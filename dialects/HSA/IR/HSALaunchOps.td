// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSALaunchOps.td - Programs that run one after the other -*-tablegen-*-===//

#ifndef RAMIFY_HSA_LAUNCH_OPS_TD
#define RAMIFY_HSA_LAUNCH_OPS_TD

include "dialects/HSA/IR/HSAOpBase.td"
include "mlir/IR/SymbolInterfaces.td"

def HSA_LaunchOp : HSA_Op<"launch", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run another program over all query blocks";
  let description = [{
    Runs the program for every query block, and then goes on: what it returns has
    been written for all of them. Its parameters are parameters of this program,
    or results of earlier launches, which come in the role that the parameter
    has: slots as indices, values of slots as weights, rows as an array.

    ```mlir
    %w, %slots = hsa.launch @f_0(%r, %landmarks) : (!hsa.query<...>, !hsa.landmarks<...>)
        -> (tensor<1x8xf32, #hsa.axes<pos, slot>>, tensor<1x8xi32, #hsa.axes<pos, slot>>)
    %o = hsa.launch @f_1(%q, %k, %v, %w, %slots) : ...
    ```

    Constraints:
    - (C1) It stands in an hsa.program that holds nothing else but hsa.return.
    - (C2) The callee is an hsa.program of the module.
    - (C3) There is an input for each of its parameters: that parameter's type, or
      the result of a launch.
    - (C4) The results are the callee's.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyTypeOf<[HSA_Named, HSA_SumsType]>>:$outputs);
  let assemblyFormat = [{
    $callee `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)
  }];
  let hasVerifier = 1;
}

def HSA_SameOp : HSA_Op<"same", [Pure, SameOperandsAndResultElementType]> {
  let summary = "what is the same along pos and head, without these axes";
  let description = [{
    What launches hand on is of rows, a number for each position or block and
    head. Where an earlier program had one for all of them, and repeated it, this
    is that number again.

    ```mlir
    %z = hsa.same %rows : tensor<1x16xf32, #hsa.axes<pos, head>> -> f32
    ```

    Constraints:
    - (C1) The result has the input's axes but pos, head or both.
  }];
  let arguments = (ins HSA_Named:$input);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

#endif // RAMIFY_HSA_LAUNCH_OPS_TD
