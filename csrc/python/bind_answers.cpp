#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <mutex>
#include <optional>

#include "answers/near_duplicates.hpp"
#include "answers/normalize.hpp"
#include "answers/pipeline.hpp"
#include "arrow.hpp"

namespace py = pybind11;
using namespace rlvr;
using namespace rlvr::answers;

namespace {

// Returns (offsets int64 [rows + 1], bytes uint8, valid uint8 [rows]), the parts of a large_string
// array.
py::tuple to_python(StringArray&& array) {
  return py::make_tuple(to_numpy(std::move(array.offsets)), to_numpy(std::move(array.bytes)),
                        to_numpy(std::move(array.valid)));
}

py::dict to_python(const GroupIndex& index, GroupColumns&& columns) {
  py::dict out;
  out["problem_id"] = index.problems().kind() == ProblemTable::Kind::kString
                          ? py::object(to_python(std::move(columns.string_problems)))
                          : py::object(to_numpy(std::move(columns.integer_problems)));
  out["answer"] = to_python(std::move(columns.answers));
  out["count"] = to_numpy(std::move(columns.counts));
  out["first_row"] = to_numpy(std::move(columns.first_rows));
  return out;
}

py::tuple extract_to_python(const py::object& texts, const std::string& policy,
                            std::size_t max_bytes) {
  const Column column = column_from_python(texts, "texts");
  const Policy chosen = policy_from_name(policy);
  Extracted result;
  {
    const py::gil_scoped_release release;
    result = extract_column(column, chosen, max_bytes);
  }
  return py::make_tuple(to_python(std::move(result.answers)), to_numpy(std::move(result.statuses)));
}

py::tuple normalize_to_python(const py::object& answers) {
  const Column column = column_from_python(answers, "answers");
  Normalized result;
  {
    const py::gil_scoped_release release;
    result = normalize_column(column);
  }
  return py::make_tuple(to_python(std::move(result.canonicals)),
                        to_numpy(std::move(result.resolved)));
}

py::array_t<std::uint8_t> compare_to_python(const py::object& golds, const py::object& answers) {
  const Column gold_column = column_from_python(golds, "golds");
  const Column answer_column = column_from_python(answers, "answers");
  std::vector<std::uint8_t> result;
  {
    const py::gil_scoped_release release;
    result = compare_columns(gold_column, answer_column);
  }
  return to_numpy(std::move(result));
}

py::tuple complete_to_python(const py::object& forms, const py::object& golds) {
  const Column form_column = column_from_python(forms, "forms");
  const Column gold_column = column_from_python(golds, "golds");
  StringArray result;
  {
    const py::gil_scoped_release release;
    result = complete_column(form_column, gold_column);
  }
  return to_python(std::move(result));
}

py::dict group_to_python(const py::object& problems, const py::object& answers, int hash_bits,
                         bool rows) {
  const Column problem_column = column_from_python(problems, "problem_ids");
  const Column answer_column = column_from_python(answers, "answers");
  GroupIndex index(hash_bits);
  GroupColumns columns;
  // Not initialised, so that each thread is the first to write its own rows.
  py::array_t<std::uint32_t> group_of_row(rows ? answer_column.size() : 0);
  RowGroups row_groups;
  row_groups.places = group_of_row.mutable_data();
  {
    const py::gil_scoped_release release;
    AddOptions options;
    options.batch_rows = kLargeBatch;
    add_columns(index, problem_column, answer_column, options, rows ? &row_groups : nullptr);
    const std::vector<std::uint32_t> order = index.order();
    columns = group_columns(index, order);
    if (rows) rank_rows(index, order, row_groups);
  }
  py::dict out = to_python(index, std::move(columns));
  out["group_of_row"] = std::move(group_of_row);
  return out;
}

py::tuple duplicates_to_python(const py::object& texts, std::optional<double> threshold,
                               int ngram) {
  const Column column = column_from_python(texts, "texts");
  Duplicates result;
  {
    const py::gil_scoped_release release;
    result = find_duplicates(column, {threshold, ngram});
  }
  return py::make_tuple(to_numpy(std::move(result.group_of_row)),
                        to_numpy(std::move(result.counts)), to_numpy(std::move(result.first_rows)));
}

class PyIndex {
 public:
  PyIndex(bool normalize, int hash_bits) : index_(hash_bits), normalize_(normalize) {}

  std::vector<std::uint64_t> add(const py::object& problems, const py::object& texts,
                                 const std::optional<std::string>& policy, std::size_t max_bytes) {
    const Column problem_column = column_from_python(problems, "problem_ids");
    const Column text_column = column_from_python(texts, "texts");
    AddOptions options;
    if (policy) options.policy = policy_from_name(*policy);
    options.max_bytes = max_bytes;
    options.normalize = normalize_;
    const py::gil_scoped_release release;
    const std::lock_guard lock(mutex_);
    const StatusCounts counts = add_columns(index_, problem_column, text_column, options);
    return {std::begin(counts.by_status), std::end(counts.by_status)};
  }
  void merge(const PyIndex& other) {
    const py::gil_scoped_release release;
    if (&other == this) throw InvalidInput("an index can't be merged into itself");
    const std::scoped_lock lock(mutex_, other.mutex_);
    index_.merge(other.index_);
  }
  void save(const std::string& path) const {
    const py::gil_scoped_release release;
    const std::lock_guard lock(mutex_);
    index_.save(path);
  }
  void load(const std::string& path) {
    const py::gil_scoped_release release;
    const std::lock_guard lock(mutex_);
    index_.load(path);
  }
  py::dict groups() const {
    GroupColumns columns;
    {
      const py::gil_scoped_release release;
      const std::lock_guard lock(mutex_);
      columns = group_columns(index_, index_.order());
    }
    return to_python(index_, std::move(columns));
  }
  const GroupIndex& index() const { return index_; }

 private:
  GroupIndex index_;
  bool normalize_;
  mutable std::mutex mutex_;  // Python threads may share an index while the GIL is released
};

}  // namespace

void bind_answers(py::module_& m) {
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const InvalidInput& error) {
      const py::object type = py::module_::import("rlvr_fast.errors").attr("InvalidInputError");
      PyErr_SetString(type.ptr(), error.what());
    }
  });
  m.def("extract_answers", &extract_to_python, py::arg("texts"), py::arg("policy"),
        py::arg("max_bytes"));
  m.def("normalize_answers", &normalize_to_python, py::arg("answers"));
  m.def("compare_canonical", &compare_to_python, py::arg("golds"), py::arg("answers"));
  m.def("complete_forms", &complete_to_python, py::arg("forms"), py::arg("golds"));
  m.def("group_answers", &group_to_python, py::arg("problem_ids"), py::arg("answers"),
        py::arg("hash_bits"), py::arg("rows"));
  m.def("find_duplicates", &duplicates_to_python, py::arg("texts"), py::arg("threshold"),
        py::arg("ngram"));
  m.def(
      "hash128",
      [](const py::bytes& data, std::uint64_t seed) {
        const Hash128 h = hash128(std::string_view(data), seed);
        return py::make_tuple(h.lo, h.hi);
      },
      py::arg("data"), py::arg("seed") = 0);
  py::class_<PyIndex>(m, "GroupIndex")
      .def(py::init<bool, int>(), py::arg("normalize"), py::arg("hash_bits"))
      .def("add", &PyIndex::add, py::arg("problem_ids"), py::arg("texts"), py::arg("policy"),
           py::arg("max_bytes"))
      .def("merge", &PyIndex::merge, py::arg("other"))
      .def("save", &PyIndex::save, py::arg("path"))
      .def("load", &PyIndex::load, py::arg("path"))
      .def("groups", &PyIndex::groups)
      .def_property_readonly("num_rows", [](const PyIndex& i) { return i.index().num_rows(); })
      .def_property_readonly("num_groups", [](const PyIndex& i) { return i.index().num_groups(); })
      .def_property_readonly("memory", [](const PyIndex& i) { return i.index().memory(); });
}
