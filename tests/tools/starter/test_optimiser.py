import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tools.starter.optimiser import Muon, is_matrix, orthogonalised


@given(st.integers(9, 40), st.integers(9, 40))
def test_orthogonalised_matrices_have_even_singular_values(rows, columns):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert orthogonalised(matrix).shape == (rows, columns)
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_biases_and_thin_matrices_are_left_to_adam():
    assert is_matrix(torch.zeros(16, 3, 3, 3))
    assert not is_matrix(torch.zeros(16))
    assert not is_matrix(torch.zeros(4, 32, 3, 3))


def test_it_fits_a_linear_map():
    generator = torch.Generator().manual_seed(0)
    wanted = torch.randn(12, 16, generator=generator)
    layer = nn.Linear(16, 12)
    optimiser = Muon([{"params": list(layer.parameters())}], weight_decay=0.0)
    losses = []
    for step in range(300):
        optimiser.param_groups[0]["lr"] = 0.2 * (1 - step / 300)
        given_rows = torch.randn(32, 16, generator=generator)
        loss = (layer(given_rows) - given_rows @ wanted.T).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
