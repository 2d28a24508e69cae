"""Make `lightning.ckpt` beside this file, as PyTorch Lightning writes it.

    pip install lightning==2.6.6 torch==2.13.0 && python tests/files/make_lightning.py

It is kept, since Lightning is too large to be installed for tests: a net that was trained a step.
"""

from pathlib import Path

import lightning
import torch
from torch import Tensor, nn

HERE = Path(__file__).parent


class Net(lightning.LightningModule):
    """Two layers of a width that is a hyperparameter."""

    def __init__(self, width: int, rate: float) -> None:  # noqa: ARG002 (it is kept)
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 1))

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        """Return a loss."""
        loss: Tensor = self.net(batch).square().mean()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["rate"])


torch.manual_seed(0)
trainer = lightning.Trainer(
    max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False
)
trainer.fit(Net(3, 0.1), torch.utils.data.DataLoader(torch.ones(2, 2)))
trainer.save_checkpoint(HERE / "lightning.ckpt")
