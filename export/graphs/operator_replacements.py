# SPDX-License-Identifier: Apache-2.0
"""What to write in the place of an operation of torch that has no ONNX form."""

_CONSTANT = (
    "compute it once, in __init__, and keep it in a buffer, where it does not depend on the frame; else write out the "
    "formula for its size"
)

REPLACEMENTS = {
    "aten.median": "write x.sort(dim)[0].narrow(dim, (n - 1) // 2, 1), with n = x.shape[dim], in its place",
    "aten.kthvalue": "write x.sort(dim)[0].narrow(dim, k - 1, 1) in its place",
    "aten._cdist_forward": "write (x[..., :, None, :] - y[..., None, :, :]).norm(dim=-1) in its place",
    "aten.adaptive_max_pool2d": (
        "write torch.stack([torch.stack([x[:, :, x.shape[2] * i // rows : -(-x.shape[2] * (i + 1) // rows), "
        "x.shape[3] * j // columns : -(-x.shape[3] * (j + 1) // columns)].amax((2, 3)) for j in range(columns)], -1) "
        "for i in range(rows)], -2) in its place, rows and columns being those of the output"
    ),
    "aten.cummax": "write torch.stack([x.narrow(dim, 0, i + 1).amax(dim) for i in range(x.shape[dim])], dim) in its place",
    "aten.cummin": "write torch.stack([x.narrow(dim, 0, i + 1).amin(dim) for i in range(x.shape[dim])], dim) in its place",
    "aten.cumprod": "write torch.stack([x.narrow(dim, 0, i + 1).prod(dim) for i in range(x.shape[dim])], dim) in its place",
    "aten.searchsorted": "write (s.unsqueeze(-2) < x.unsqueeze(-1)).sum(-1), with s = the values, in its place",
    "aten.isin": "write (x.unsqueeze(-1) == s).any(-1), with s = the values, in its place",
    "aten.hypot": "write (x * x + y * y).sqrt() in its place",
    "aten.linalg_inv_ex": _CONSTANT,
    "aten._linalg_solve_ex": _CONSTANT,
    "aten._linalg_svd": _CONSTANT,
    "aten.linalg_qr": _CONSTANT,
    "aten.linalg_cholesky_ex": _CONSTANT,
    "aten.linalg_matrix_exp": _CONSTANT,
}
"""By operation: code that does the same and has an ONNX form."""

ORIGINS = {
    "prims.prod": ("aten.cumprod",),
    "prims.hypot": ("aten.hypot",),
    "aten.searchsorted": ("aten.searchsorted", "aten.isin"),
}
"""By operation that torch.onnx names: those of a network's code that it may have taken apart into it."""
