#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>

#include "common/error.hpp"
#include "common/parallel.hpp"
#include "common/read_memory.hpp"
#include "python/dlpack.hpp"
#include "scoring/logits_stats.hpp"

namespace py = pybind11;

namespace rlvr::python {
namespace {

// Outputs and temperatures are float32 and targets int64: rlvr_fast/scoring/kernels/cpu.py converts
// them.
struct StatsArguments {
  StatsArguments(const py::tuple& out, std::int64_t rows)
      : logprob(out[0]), entropy(out[1]), logsumexp(out[2]), rank(out[3]), mass_above(out[4]) {
    view.logprob = logprob.array<float>(DataType::kFloat32, rows, "logprob");
    view.entropy = entropy.array<float>(DataType::kFloat32, rows, "entropy");
    view.logsumexp = logsumexp.array<float>(DataType::kFloat32, rows, "logsumexp");
    view.rank = rank.array<std::int32_t>(DataType::kInt32, rows, "rank");
    view.mass_above = mass_above.array<float>(DataType::kFloat32, rows, "mass_above");
  }
  BorrowedTensor logprob, entropy, logsumexp, rank, mass_above;
  TokenOutputs view{};
};

std::int64_t temperature_count(const BorrowedTensor& temperature, std::int64_t rows) {
  const std::int64_t count = temperature.elements();
  if (count != 1 && count != rows) {
    throw InvalidInput("temperature must be one number or one per row (" + std::to_string(rows) +
                       "), got " + std::to_string(count));
  }
  return count;
}

void token_stats(const py::object& logits, const py::object& targets, const py::object& temperature,
                 float softcap, const py::tuple& out, const std::string& instruction_set) {
  const FoldTable& folds = fold_table(instruction_set);
  const BorrowedTensor borrowed(logits);
  const BorrowedTensor borrowed_targets(targets);
  const BorrowedTensor borrowed_temperature(temperature);
  with_logits(borrowed, [&](const auto& view) {
    const std::int64_t rows = view.rows();
    const auto* target_of = borrowed_targets.array<std::int64_t>(DataType::kInt64, rows, "targets");
    const std::int64_t temperatures = temperature_count(borrowed_temperature, rows);
    const auto* temperature_of =
        borrowed_temperature.array<float>(DataType::kFloat32, temperatures, "temperature");
    const StatsArguments arguments(out, rows);
    const py::gil_scoped_release release;
    logits_stats(view, target_of, temperature_of, temperatures, softcap, arguments.view, folds);
  });
}

const float* optional_array(const std::optional<BorrowedTensor>& tensor, std::int64_t count,
                            const char* name) {
  return tensor ? tensor->array<float>(DataType::kFloat32, count, name) : nullptr;
}

std::unique_ptr<RowFolds> make_row_folds(const py::object& target_column, const py::object& target,
                                         const py::object& target_bias,
                                         const py::object& temperature, float scale, float softcap,
                                         const std::string& instruction_set) {
  const BorrowedTensor borrowed(target);
  const BorrowedTensor borrowed_column(target_column);
  const std::int64_t rows = borrowed.elements();
  const BorrowedTensor borrowed_temperature(temperature);
  const std::int64_t temperatures = temperature_count(borrowed_temperature, rows);
  std::optional<BorrowedTensor> bias;
  if (!target_bias.is_none()) bias.emplace(target_bias);
  return std::make_unique<RowFolds>(
      rows, borrowed_column.array<std::int64_t>(DataType::kInt64, rows, "target_column"),
      borrowed.array<float>(DataType::kFloat32, rows, "target"),
      optional_array(bias, rows, "target_bias"),
      borrowed_temperature.array<float>(DataType::kFloat32, temperatures, "temperature"),
      temperatures, scale, softcap, fold_table(instruction_set));
}

void fold_rows(RowFolds& folds, const py::object& tile, std::int64_t first_column,
               const py::object& bias) {
  const BorrowedTensor borrowed(tile);
  if (borrowed.dtype() != DataType::kFloat32) throw InvalidInput("a tile must be float32");
  const MatrixView<float> view = borrowed.matrix<float>();
  std::optional<BorrowedTensor> borrowed_bias;
  if (!bias.is_none()) borrowed_bias.emplace(bias);
  const float* bias_of = optional_array(borrowed_bias, view.columns(), "bias");
  const py::gil_scoped_release release;
  folds.fold(view, first_column, bias_of);
}

std::int64_t seen_targets(const RowFolds& folds, const py::object& target) {
  const BorrowedTensor borrowed(target);
  return folds.seen_targets(borrowed.array<float>(DataType::kFloat32, folds.rows(), "target"));
}

void finalize_rows(const RowFolds& folds, const py::tuple& out) {
  const StatsArguments arguments(out, folds.rows());
  folds.finalize(arguments.view);
}

std::unique_ptr<PairFolds> make_pair_folds(std::int64_t rows, const py::object& temperature,
                                           const std::string& instruction_set) {
  const BorrowedTensor borrowed(temperature);
  const std::int64_t temperatures = temperature_count(borrowed, rows);
  return std::make_unique<PairFolds>(
      rows, borrowed.array<float>(DataType::kFloat32, temperatures, "temperature"), temperatures,
      fold_table(instruction_set));
}

void fold_pairs(PairFolds& folds, const py::object& tile_p, const py::object& tile_q) {
  const BorrowedTensor p(tile_p);
  const BorrowedTensor q(tile_q);
  if (p.dtype() != DataType::kFloat32 || q.dtype() != DataType::kFloat32) {
    throw InvalidInput("a tile must be float32");
  }
  const MatrixView<float> view_p = p.matrix<float>();
  const MatrixView<float> view_q = q.matrix<float>();
  const py::gil_scoped_release release;
  folds.fold(view_p, view_q);
}

void finalize_pairs(const PairFolds& folds, const py::object& target_p, const py::object& target_q,
                    const py::tuple& out) {
  const std::int64_t rows = folds.rows();
  const BorrowedTensor p(target_p), q(target_q);
  const BorrowedTensor kl_pq(out[0]), kl_qp(out[1]), entropy_p(out[2]), entropy_q(out[3]),
      logprob_p(out[4]), logprob_q(out[5]);
  const auto floats = [&](const BorrowedTensor& tensor, const char* name) {
    return tensor.array<float>(DataType::kFloat32, rows, name);
  };
  folds.finalize(floats(p, "target_p"), floats(q, "target_q"),
                 {floats(kl_pq, "kl_pq"), floats(kl_qp, "kl_qp"), floats(entropy_p, "entropy_p"),
                  floats(entropy_q, "entropy_q"), floats(logprob_p, "logprob_p"),
                  floats(logprob_q, "logprob_q")});
}

// push and merge of online_softmax.hpp, one logit at a time, so that tests can cut a row at any
// columns. `bounds` are the ends of the pieces, which are merged from left to right or from right
// to left.
py::tuple fold_pieces(const std::vector<double>& exponents, double target,
                      const std::vector<std::size_t>& bounds, bool from_right) {
  std::vector<SoftmaxState<double>> pieces;
  std::size_t i = 0;
  for (const std::size_t bound : bounds) {
    SoftmaxState<double> state;
    for (; i < bound && i < exponents.size(); ++i) push(state, exponents[i], exponents[i] > target);
    pieces.push_back(state);
  }
  SoftmaxState<double> all;
  if (from_right) {
    for (std::size_t k = pieces.size(); k-- > 0;) all = merge(pieces[k], all);
  } else {
    for (const auto& piece : pieces) all = merge(all, piece);
  }
  const TokenResult<double> r = finalize(all, target);
  return py::make_tuple(r.logprob, r.entropy, r.logsumexp, r.rank, r.mass_above);
}

std::uint64_t sum_words_of(const py::object& tensor) {
  const BorrowedTensor borrowed(tensor);
  const std::int64_t count = borrowed.elements();
  const auto* words = borrowed.array<std::int64_t>(DataType::kInt64, count, "words");
  const py::gil_scoped_release release;
  return sum_words(reinterpret_cast<const std::uint64_t*>(words), count);
}

void raise_as(const char* name, const char* message) {
  py::set_error(py::module_::import("rlvr_fast.errors").attr(name), message);
}

}  // namespace
}  // namespace rlvr::python

void bind_scoring(py::module_& m) {
  using namespace rlvr;
  using namespace rlvr::python;

  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const InvalidInput& e) {
      raise_as("InvalidInputError", e.what());
    } catch (const CudaFailure& e) {
      raise_as("CudaError", e.what());
    }
  });

  m.def("num_threads", &num_threads,
        "The number of threads of a parallel loop, the calling thread included.");
  m.def("set_num_threads", &set_num_threads, py::arg("threads"),
        "Sets num_threads for the process; 0 restores the default, the available processors.");
  m.def("instruction_sets", &instruction_sets,
        "The instruction sets that this processor supports, fastest first.");
  m.def("token_stats", &token_stats, py::arg("logits"), py::arg("targets"), py::arg("temperature"),
        py::arg("softcap"), py::arg("out"), py::arg("instruction_set") = "",
        "out: logprob, entropy, logsumexp, rank, mass_above, written in place.");
  m.def("sum_words", &sum_words_of, py::arg("words"),
        "The sum of an int64 tensor modulo 2^64, read at full bandwidth; for benchmarks.");
  m.def("fold_pieces", &fold_pieces, py::arg("exponents"), py::arg("target"), py::arg("bounds"),
        py::arg("from_right") = false,
        "Folds pieces of a row and merges the states (csrc/math); for tests.");

  py::class_<RowFolds>(m, "RowFolds", "Rows whose logits arrive in tiles of columns.")
      .def(py::init(&make_row_folds), py::arg("target_column"), py::arg("target"),
           py::arg("target_bias"), py::arg("temperature"), py::arg("scale"), py::arg("softcap"),
           py::arg("instruction_set") = "")
      .def("fold", &fold_rows, py::arg("tile"), py::arg("first_column"),
           py::arg("bias") = py::none())
      .def("seen_targets", &seen_targets, py::arg("target"),
           "Writes each target's value as in the tiles; returns how many differ from `target`.")
      .def("finalize", &finalize_rows, py::arg("out"));
  py::class_<PairFolds>(m, "PairFolds", "Rows of two models whose logits arrive in tiles.")
      .def(py::init(&make_pair_folds), py::arg("rows"), py::arg("temperature"),
           py::arg("instruction_set") = "")
      .def("fold", &fold_pairs, py::arg("tile_p"), py::arg("tile_q"))
      .def("finalize", &finalize_pairs, py::arg("target_p"), py::arg("target_q"), py::arg("out"));
}
