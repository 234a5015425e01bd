"""Real handwritten digits included in scikit-learn: no download needed."""

import torch

from gan.data.base import ImageData, Split


class Digits(ImageData):
    """1,797 gray digits of 8×8 pixels (UCI "Optical Recognition of Handwritten Digits", test part).

    They are shuffled once, in the same way for every seed, because the file is ordered by writer. 1,397 are for
    training, 200 for validation and 200 for the test.
    """

    def load(self) -> dict[str, Split]:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)  # (1797, 64) in 0..16
        images = torch.from_numpy(pixels).mul(255 / 16).round().to(torch.uint8).view(-1, 1, 8, 8)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        everything = Split(images[order], torch.from_numpy(labels)[order])
        bounds = {"train": slice(0, 1397), "valid": slice(1397, 1597), "test": slice(1597, 1797)}
        return {name: Split(everything.images[s], everything.labels[s]) for name, s in bounds.items()}
