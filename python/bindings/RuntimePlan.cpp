// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimePlan.h"

#include "ReleasedGil.h"

#include "runtime/CudaExecutable.h"
#include "runtime/Workspace.h"

#include <pybind11/stl.h>

#include <algorithm>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::Code;
using runtime::CodeKind;
using runtime::Plan;

std::shared_ptr<runtime::Executable>
PythonPlan::load(const ArrayDevice &device) const {
  ReleasedGil release;
  if (device.backend == runtime::Backend::Cuda)
    return runtime::loadForCuda(plan, device.index);
  return runtime::loadForCpu(plan, kernels);
}

/// A Python object as long as the result lives, also where that ends without
/// the GIL; after the interpreter it is left alone.
static std::shared_ptr<const void> keep(py::object object) {
  return {object.release().ptr(), [](PyObject *pointer) {
            if (!Py_IsInitialized())
              return;
            py::gil_scoped_acquire locked;
            Py_DECREF(pointer);
          }};
}

static void bindKernels(PythonPlan &self,
                        const std::map<std::string, uint64_t> &addresses,
                        py::object owner) {
  runtime::CpuKernels kernels;
  for (const auto &[kernel, address] : addresses)
    kernels.entries[kernel] = reinterpret_cast<void (*)(void **)>(address);
  if (!owner.is_none())
    kernels.owner = keep(std::move(owner));
  self.kernels = std::move(kernels);
}

static std::shared_ptr<PythonPlan> parse(const py::bytes &bytes) {
  return std::make_shared<PythonPlan>(
      PythonPlan{Plan::parse(static_cast<std::string_view>(bytes)), {}});
}

static std::shared_ptr<PythonPlan> withCode(const PythonPlan &self,
                                            const std::string &target,
                                            const std::string &kind,
                                            const py::bytes &bytes) {
  Code code;
  code.target = target;
  if (kind == "ptx")
    code.kind = CodeKind::Ptx;
  else if (kind == "cubin")
    code.kind = CodeKind::Cubin;
  else if (kind != "object")
    throw py::value_error("kind: expected 'ptx', 'cubin' or 'object', found '" +
                          kind + "'");
  code.bytes = static_cast<std::string>(bytes);
  auto result = std::make_shared<PythonPlan>(self);
  std::vector<Code> &codes = result->plan.codes;
  std::erase_if(codes, [&](const Code &c) {
    return c.target == target && c.kind == code.kind;
  });
  codes.push_back(std::move(code));
  return result;
}

static py::list listCode(const PythonPlan &self) {
  py::list result;
  for (const Code &code : self.plan.codes)
    result.append(
        py::make_tuple(code.target, name(code.kind), py::bytes(code.bytes)));
  return result;
}

/// Sizes of the plan's array arguments, by name, from their shapes.
static std::vector<int64_t> readSizes(const runtime::Plan &plan,
                                      const py::dict &shapes) {
  std::vector<int64_t> environment(plan.symbols.size());
  std::vector<runtime::SymbolSource> sources = resolveSymbols(plan);
  for (size_t i = 0; i < sources.size(); ++i) {
    const runtime::SymbolSource &source = sources[i];
    if (source.kind == runtime::SymbolSource::Kind::Sms)
      environment[i] = 1;
    if (source.kind != runtime::SymbolSource::Kind::Dim)
      continue;
    py::str name(plan.values[source.value].name);
    environment[i] =
        py::cast<py::tuple>(shapes[name])[source.dim].cast<int64_t>();
  }
  evaluateLets(plan, environment);
  return environment;
}

/// Lists the launches of `steps`, those of loops as often as they run; guards
/// are what the schedules do without.
static void listLaunches(const std::vector<runtime::Step> &steps,
                         std::vector<int64_t> &environment, py::list &result) {
  for (const runtime::Step &step : steps) {
    if (const auto *let = std::get_if<runtime::Let>(&step.action))
      environment[static_cast<size_t>(let->symbol)] =
          let->value.evaluate(environment);
    if (const auto *scope = std::get_if<runtime::Scope>(&step.action))
      listLaunches(scope->body, environment, result);
    if (const auto *loop = std::get_if<runtime::Loop>(&step.action)) {
      int64_t trip = loop->trip.evaluate(environment);
      for (int64_t i = 0; i < trip; ++i) {
        environment[static_cast<size_t>(loop->variable)] = i;
        listLaunches(loop->body, environment, result);
      }
    }
    const auto *launch = std::get_if<runtime::Launch>(&step.action);
    if (!launch)
      continue;
    py::tuple grid(3);
    for (size_t i = 0; i < 3; ++i)
      grid[i] = launch->grid[i].evaluate(environment);
    result.append(py::dict(
        py::arg("kernel") = launch->kernel, py::arg("grid") = grid,
        py::arg("threads") = launch->block,
        py::arg("shared_bytes") = launch->sharedBytes.evaluate(environment)));
  }
}

/// The launches of a call whose arrays have these shapes.
static py::list getLaunches(const PythonPlan &self, const py::dict &shapes) {
  std::vector<int64_t> environment = readSizes(self.plan, shapes);
  py::list result;
  listLaunches(self.plan.steps, environment, result);
  return result;
}

/// Bytes for the workspaces of such a call.
static int64_t countWorkspace(const PythonPlan &self, const py::dict &shapes) {
  std::vector<int64_t> environment = readSizes(self.plan, shapes);
  return runtime::workspaceBytes(self.plan, environment);
}

static py::list kernelInfo(const runtime::Executable &executable) {
  py::list result;
  auto *cuda = dynamic_cast<const runtime::CudaExecutable *>(&executable);
  if (!cuda)
    return result;
  for (const runtime::KernelInfo &info : cuda->kernelInfo())
    result.append(py::dict(
        py::arg("name") = info.name, py::arg("registers") = info.registers,
        py::arg("local_bytes") = info.localBytes,
        py::arg("static_shared_bytes") = info.staticSharedBytes,
        py::arg("max_threads") = info.maxThreads));
  return result;
}

using PlanClass = py::class_<PythonPlan, std::shared_ptr<PythonPlan>>;

/// What a plan says of itself.
static void bindContents(PlanClass &plan) {
  plan.def("serialize",
           [](const PythonPlan &self) {
             return py::bytes(self.plan.serialize());
           })
      .def_property_readonly(
          "text", [](const PythonPlan &self) { return self.plan.text(); })
      .def_property_readonly(
          "function", [](const PythonPlan &self) { return self.plan.function; })
      .def_property_readonly(
          "backend",
          [](const PythonPlan &self) { return name(self.plan.backend); })
      .def_property_readonly("notes",
                             [](const PythonPlan &self) {
                               py::dict notes;
                               for (const auto &[key, text] : self.plan.notes)
                                 notes[py::str(key)] = text;
                               return notes;
                             })
      .def_property_readonly("kernels", [](const PythonPlan &self) {
        return self.plan.kernels();
      });
}

/// What a call will do.
static void bindLaunches(PlanClass &plan) {
  plan.def("launches", &getLaunches, py::arg("shapes"),
           "Dicts kernel, grid, threads, shared_bytes of a call whose array "
           "arguments have these shapes.")
      .def(
          "workspace_bytes", &countWorkspace, py::arg("shapes"),
          "Bytes that such a call asks its framework for besides the results.");
}

/// Where its code comes from, and goes to.
static void bindCode(PlanClass &plan) {
  plan.def_property_readonly("codes", &listCode,
                             "Tuples (target, kind, bytes).")
      .def("with_code", &withCode, py::arg("target"), py::arg("kind"),
           py::arg("data"),
           "A copy with this code in place of any of the same target and kind.")
      .def("bind_kernels", &bindKernels, py::arg("addresses"),
           py::arg("owner") = py::none(),
           "Says where the kernels of a CPU plan are in memory: the address of "
           "each packed entry, void(void **).\n\n"
           "owner: what their code belongs to; it is kept as long as the plan "
           "and what is loaded from it.")
      .def(
          "load",
          [](const PythonPlan &self, const std::string &device, int index) {
            bool cuda = device == "cuda";
            return self.load(
                {cuda ? runtime::Backend::Cuda : runtime::Backend::Cpu, index});
          },
          py::arg("device") = "cpu", py::arg("index") = 0,
          "Loads the code: an Executable.");
}

static void bindExecutable(py::module_ &module) {
  py::class_<runtime::Executable, std::shared_ptr<runtime::Executable>>(
      module, "Executable", "A plan with its code loaded for one device.")
      .def_property_readonly("plan",
                             [](const runtime::Executable &self) {
                               return std::make_shared<PythonPlan>(
                                   PythonPlan{self.plan(), {}});
                             })
      .def_property_readonly(
          "kernel_info", &kernelInfo,
          "On a GPU: name, registers, local_bytes (spills), "
          "static_shared_bytes and max_threads of each kernel.");
}

void bindPlan(py::module_ &module) {
  PlanClass plan(module, "Plan", "A compiled function (runtime/Plan.h).");
  plan.def_static("parse", &parse, py::arg("data"),
                  "Reads a serialised plan; CompileError if it is damaged.")
      .def("__repr__", [](const PythonPlan &self) {
        return "<ramify plan of " + self.plan.function + ">";
      });
  bindContents(plan);
  bindLaunches(plan);
  bindCode(plan);
  bindExecutable(module);
}

} // namespace ramify::bindings
