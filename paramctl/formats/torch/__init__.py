"""What torch writes: zip archives, TorchScript, torch.export, and its files of before 1.6."""
