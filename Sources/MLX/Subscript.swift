// Subscripts: reading parts of an array, and assigning to them.
import CMLX

extension MLXArray {
    /// A part of the array, e.g. `a[1]`, `a[0..., 2 ..< 5]`, `a[.ellipsis, .newAxis]`, `a[indices]`.
    ///
    /// Assigning gives this reference the array with that part replaced; the value broadcasts and takes the array's
    /// type. Where nothing else holds the old value, MLX does it in place. A mask of `bool` can only be assigned to.
    public subscript(indices: any MLXArrayIndex...) -> MLXArray {
        get { part(ResolvedIndices(indices, shape: shape)) }
        set { assign(indices, newValue) }
    }

    private func part(_ indices: ResolvedIndices) -> MLXArray {
        var result = slice(indices)
        let dropped = indices.items.compactMap { if case .drop(let axis) = $0 { axis } else { nil } }
        if !dropped.isEmpty { result = result.squeezed(axes: dropped) }

        let left = indices.items.filter { if case .drop = $0 { false } else { true } }
        let new = left.indices.filter { if case .new = left[$0] { true } else { false } }
        if !new.isEmpty { result = result.expandedDimensions(axes: new) }

        let picked = left.enumerated().compactMap { position, item in
            if case .array(_, let positions) = item { (axis: position, positions: positions) } else { nil }
        }
        require(picked.allSatisfy { $0.positions.dtype != .bool }, "a mask can only be assigned to; see which(_:_:_:)")
        switch picked.count {
        case 0: return result
        case 1: return result.take(picked[0].positions, axis: picked[0].axis)
        default: return result.taking(picked)
        }
    }

    /// The slice of a subscript, before axes go or are made; always another reference than self.
    private func slice(_ indices: ResolvedIndices) -> MLXArray {
        if indices.isWhole { return copy() }
        return MLXArray.make { cmlx_slice(handle, indices.start, indices.stop, indices.strides, $0) }
    }

    /// Positions along several axes at once, which broadcast against each other: the axes become one, along which the
    /// combined positions are taken. Their axes stand where the first one stood if the axes were neighbours, else first.
    private func taking(_ picked: [(axis: Int, positions: MLXArray)]) -> MLXArray {
        let axes = picked.map(\.axis)
        let others = (0..<ndim).filter { !axes.contains($0) }
        let front = transposed(axes: axes + others).flattened(start: 0, end: axes.count - 1)
        var combined = MLXArray(0)
        for (axis, positions) in picked {
            let length = dim(axis)
            combined =
                combined * length + which(positions .< 0, positions.asType(.int32) + length, positions.asType(.int32))
        }
        let result = front.take(combined, axis: 0)
        guard axes[axes.count - 1] - axes[0] == axes.count - 1, axes[0] > 0 else { return result }
        let (block, before) = (combined.ndim, axes[0])
        let order = Array(block..<(block + before)) + Array(0..<block) + Array((block + before)..<result.ndim)
        return result.transposed(axes: order)
    }

    private func assign(_ indices: [any MLXArrayIndex], _ value: MLXArray) {
        if indices.count == 1, case .array(let mask) = indices[0].mlxArrayIndexOperation, mask.dtype == .bool {
            let shaped = mask.reshaped(mask.shape + [Int](repeating: 1, count: ndim - mask.ndim))
            become(which(shaped, value.asType(dtype), self))
        } else {
            become(updated(ResolvedIndices(indices, shape: shape), value, CMLX_SCATTER_SET))
        }
    }

    /// The array with what a subscript names replaced by, or combined with, `value`.
    func updated(_ indices: ResolvedIndices, _ value: MLXArray, _ op: cmlx_scatter_op) -> MLXArray {
        let arrays = indices.arrays
        if arrays.isEmpty {
            let update = op == CMLX_SCATTER_SET ? value : part(indices).combined(with: value, op)
            let shaped = indices.shapedLikeSlice(update)
            return withExtendedLifetime(shaped) {
                MLXArray.make {
                    cmlx_slice_update(handle, shaped.handle, indices.start, indices.stop, indices.strides, $0)
                }
            }
        }
        if arrays.count == 1, let axis = indices.onlyArrayAxis {
            return scattered(op, arrays[0], value, axis: axis)
        }
        // The rare rest: positions in the flattened array, found by the same subscript.
        let positions = MLXArray.arange(size).reshaped(shape).part(indices)
        return flattened().scattered(op, positions, value, axis: 0).reshaped(shape)
    }

    private func combined(with value: MLXArray, _ op: cmlx_scatter_op) -> MLXArray {
        switch op {
        case CMLX_SCATTER_ADD: self + value
        case CMLX_SCATTER_MULTIPLY: self * value
        case CMLX_SCATTER_MAX: maximum(self, value)
        case CMLX_SCATTER_MIN: minimum(self, value)
        default: value
        }
    }

    /// Writes `value`, which broadcasts to the shape of `take(self, positions, axis)`, to positions along `axis`.
    private func scattered(_ op: cmlx_scatter_op, _ positions: MLXArray, _ value: MLXArray, axis: Int) -> MLXArray {
        require(positions.dtype != .bool, "positions must be integers")
        let own = shape
        let picked = Array(own[..<axis]) + positions.shape + Array(own[(axis + 1)...])
        let block = axis..<(axis + positions.ndim)
        let order = Array(block) + (0..<picked.count).filter { !block.contains($0) }
        let updates = value.asType(dtype).broadcast(to: picked).transposed(axes: order)
            .expandedDimensions(axis: positions.ndim + axis)  // [positions..., axes before, 1, axes after]
        return withExtendedLifetime(updates) {
            MLXArray.make { cmlx_scatter(op, handle, positions.handle, updates.handle, int32(axis), $0) }
        }
    }
}

extension ResolvedIndices {
    /// Axis of the first array of positions, where all else is whole axes.
    fileprivate var onlyArrayAxis: Int? {
        guard isWhole, items.allSatisfy({ if case .new = $0 { false } else { true } }) else { return nil }
        return items.firstIndex { if case .array = $0 { true } else { false } }
    }

    /// `value`, which broadcasts to the subscript's result, with the axes of the slice: without those the subscript
    /// makes, with length 1 where it drops one.
    fileprivate func shapedLikeSlice(_ value: MLXArray) -> MLXArray {
        let plain = items.allSatisfy { if case .keep = $0 { true } else { false } }
        if plain { return value }
        var given = value.shape[...]
        var shape: [Int] = []
        for item in items.reversed() {
            switch item {
            case .keep, .array: shape.append(given.popLast() ?? 1)
            case .drop: shape.append(1)
            case .new:
                let length = given.popLast() ?? 1
                require(length == 1, "cannot assign shape \(value.shape) to a subscript with a new axis there")
            }
        }
        require(given.allSatisfy { $0 == 1 }, "shape \(value.shape) has more axes than what it is assigned to")
        return value.reshaped(shape.reversed())
    }
}
