#include "machine/copy_engine.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "machine/machine.hpp"

namespace machine {

namespace {

constexpr std::uint64_t kSeal = 0x7e45042a4b0c5u;
constexpr std::size_t kElement = 2;
constexpr Address kPlace = (Address{1} << kRankShift) - 1;

// 128-byte swizzle: the 16-byte chunk's number in a row of 128 bytes, exclusive-or the row's number
// in its group of eight. In addresses: bits 4 to 6 xor bits 7 to 9.
Address swizzled(Address address) { return address ^ ((address >> 3) & 0x70u); }

// Reads one row of the box; zeros outside the matrix.
void read_row(const TensorMap& map, std::int64_t column, std::int64_t row, std::byte* into) {
  std::memset(into, 0, map.box_row_bytes());
  if (row < 0 || row >= static_cast<std::int64_t>(map.rows)) return;
  const std::int64_t first = std::max<std::int64_t>(column, 0);
  const std::int64_t end =
      std::min<std::int64_t>(column + map.box_columns, static_cast<std::int64_t>(map.columns));
  if (first >= end) return;
  const std::byte* source = map.data + static_cast<std::uint64_t>(row) * map.row_bytes +
                            static_cast<std::uint64_t>(first) * kElement;
  std::memcpy(into + static_cast<std::size_t>(first - column) * kElement, source,
              static_cast<std::size_t>(end - first) * kElement);
}

}  // namespace

TensorMap TensorMap::decode(const CUtensorMap& map) {
  TensorMap decoded;
  static_assert(sizeof decoded <= sizeof map);
  std::memcpy(&decoded, &map, sizeof decoded);
  if (decoded.seal != kSeal) fault("a tensor map that cuTensorMapEncodeTiled did not make");
  return decoded;
}

void CopyEngine::copy(const CUtensorMap& map, Address barrier, Address destination, int column,
                      int row) {
  const auto rank = destination >> kRankShift;
  copy(map, barrier, destination, column, row, static_cast<std::uint16_t>(1u << rank));
}

void CopyEngine::copy(const CUtensorMap& encoded, Address barrier, Address destination, int column,
                      int row, std::uint16_t mask) {
  const TensorMap map = TensorMap::decode(encoded);
  if (mask == 0) fault("cp.async.bulk.tensor to no block");
  // The destination is aligned to 128 bytes. A swizzle of 128 bytes repeats every 1024 bytes, and
  // the machine requires that alignment, which the hardware does not.
  const Address alignment = map.swizzled ? 1024 : 128;
  if (destination % alignment != 0) {
    fault("cp.async.bulk.tensor to " + hex(destination) + ", which is not aligned to " +
          std::to_string(alignment) + " bytes");
  }
  for (int rank = 0; rank < 16; ++rank) {
    if ((mask >> rank & 1) == 0) continue;
    Block& block = cluster_.at(rank);
    const Address window = static_cast<Address>(rank) << kRankShift;
    const Address place = window | (destination & kPlace);
    const Address signal = window | (barrier & kPlace);
    block.barriers.check_published(signal);
    block.shared.begin_write(place, map.box_rows * map.box_row_bytes(), "cp.async.bulk.tensor");
    // The box arrives in two pieces; the barrier counts the bytes of each piece when the piece
    // arrives.
    const std::int64_t half = (map.box_rows + 1) / 2;
    for (std::int64_t first = 0; first < map.box_rows; first += half) {
      const auto offset =
          static_cast<Address>(static_cast<std::size_t>(first) * map.box_row_bytes());
      pieces_.push_back({map, &block, signal, place + offset, column, row + first,
                         std::min<std::int64_t>(half, map.box_rows - first)});
    }
  }
}

void CopyEngine::land(std::size_t index) {
  const Piece piece = pieces_[index];
  pieces_.erase(pieces_.begin() + static_cast<std::ptrdiff_t>(index));
  const std::size_t row_bytes = piece.map.box_row_bytes();
  std::byte row[512];  // 256 elements at most
  for (std::int64_t r = 0; r < piece.rows; ++r) {
    read_row(piece.map, piece.column, piece.row + r, row);
    const Address line =
        piece.destination + static_cast<Address>(r * static_cast<std::int64_t>(row_bytes));
    for (std::size_t chunk = 0; chunk < row_bytes; chunk += 16) {
      const Address to = line + static_cast<Address>(chunk);
      std::memcpy(
          piece.block->shared.at(piece.map.swizzled ? swizzled(to) : to, 16, "a copied box"),
          row + chunk, 16);
    }
  }
  piece.block->shared.end_write(piece.destination, piece.bytes());
  piece.block->barriers.complete(piece.barrier, piece.bytes());
}

void CopyEngine::check_idle(const Block& block) const {
  if (std::any_of(pieces_.begin(), pieces_.end(),
                  [&](const Piece& p) { return p.block == &block; })) {
    fault("the block ends before a copy to it has landed");
  }
}

}  // namespace machine

namespace {

bool describes_what_is_modelled(CUtensorMapDataType type, cuuint32_t dimensions,
                                const cuuint32_t* steps, CUtensorMapInterleave interleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapFloatOOBfill fill) {
  return (type == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 || type == CU_TENSOR_MAP_DATA_TYPE_FLOAT16) &&
         dimensions == 2 && steps[0] == 1 && steps[1] == 1 &&
         interleave == CU_TENSOR_MAP_INTERLEAVE_NONE &&
         (swizzle == CU_TENSOR_MAP_SWIZZLE_NONE || swizzle == CU_TENSOR_MAP_SWIZZLE_128B) &&
         fill == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
}

}  // namespace

// The conditions are those of the driver's documentation.
CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t dimensions,
                                void* data, const cuuint64_t* sizes, const cuuint64_t* strides,
                                const cuuint32_t* box, const cuuint32_t* steps,
                                CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion, CUtensorMapFloatOOBfill fill) {
  if (!describes_what_is_modelled(type, dimensions, steps, interleave, swizzle, fill)) {
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  const bool swizzled = swizzle == CU_TENSOR_MAP_SWIZZLE_128B;
  const auto size_fits = [](cuuint64_t size) { return size >= 1 && size <= cuuint64_t{1} << 32; };
  const auto box_fits = [](cuuint32_t size) { return size >= 1 && size <= 256; };
  const bool valid = reinterpret_cast<std::uintptr_t>(map) % 64 == 0 &&
                     reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && size_fits(sizes[0]) &&
                     size_fits(sizes[1]) && strides[0] % 16 == 0 &&
                     strides[0] < cuuint64_t{1} << 40 && strides[0] >= sizes[0] * 2 &&
                     box_fits(box[0]) && box_fits(box[1]) && box[0] * 2 % 16 == 0 &&
                     (!swizzled || box[0] * 2 <= 128);
  if (!valid) return CUDA_ERROR_INVALID_VALUE;
  // The driver also swizzles narrower boxes, in rows of their own width; no kernel uses such a box.
  if (swizzled && box[0] * 2 != 128) return CUDA_ERROR_NOT_SUPPORTED;
  const machine::TensorMap made = {machine::kSeal, static_cast<const std::byte*>(data),
                                   sizes[0],       sizes[1],
                                   strides[0],     box[0],
                                   box[1],         swizzled};
  *map = {};
  std::memcpy(map, &made, sizeof made);
  return CUDA_SUCCESS;
}
