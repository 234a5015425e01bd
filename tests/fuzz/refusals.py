"""Why two choices may be refused together: a pattern of the whole line, and the reason. A person has reviewed each.

A new line belongs here only if the combination cannot have a meaning, or needs a third choice that the line names.
"""

REFUSALS = {
    r"callbacks\.\w+ needs the callback scores with a metric that ranks generators; give .*": "no scores to follow",
    r"trainer\.accelerator=gpu: torch finds no GPU on this machine; take .*": "no GPU here",
    r".*: metrics need a set of images to compare with\.": "metrics on endless data",
    r".* was trained on .*; this needs a set of images\.": "a figure of images on endless data",
    r"a plot of the plane needs points \(.*": "a plane of images",
    r"a 1-D snapshot needs data=gaussian and latent\.dim=1 .*": "a 1-D figure of other data",
    r"figures=theory.*(compares D with D\*|compares the examples of a batch).*": "no D(x) to compare",
    r"figures\.\w+: this training has no scalar .* It has: .*": "a curve that the method has not",
    r"figures\.\w+: no curves are written in this training; take .*": "a curve without a logger",
    r"figures\.progress: this training saves no sample grids; take .*": "an animation without its images",
    r"data\.channels=2: .*figures=plane.*": "a grid of images from points",
    r"model\.(encoder|discriminator) must be a mapping with a _target_ .*": "a network that the model has not",
    r"normalization@.*: no chosen file uses this group here\..*": "a normalization of layers that the model has not",
    r"In 'experiment/.*': Could not override 'normalization@.*": "a preset's normalization for another network",
    r"data: a (number|point).* has channels=. and image_size=1, got .*": "images of points",
    r"(model|optim)\.\w+ has no key '\w+'\..*": "a preset's setting of its own network or optimizer",
    r"optim\.momentum: .* has no momentum; take optim=sgd\.": "a preset's momentum for another optimizer",
    r"latent: classes must be at least 2, got 0: .*": "labels of data without classes",
    r"data\.classes=\d+, but .*": "classes of a folder without subfolders",
    r"(data\.image_size|model\.\w+\.?\w*|image_size) must be .*, got .*": "an image size that the network cannot have",
    r"model does not fit images of shape .*": "an image size that the network cannot have",
    r".* expects images with \d+ channels?, the data's have \d+.*": "a feature extractor of other images",
    r".* expects points around known centers.*": "a feature extractor of points",
    r".* needs .*, which neither features=.* nor this method gives; take .*": "a metric of classes without classes",
    r"loss is one of energies: .* take model=energy.*": "a loss of energies without an autoencoder",
    r"g_steps must be 1 with simultaneous updates.*": "two orders of the updates",
    r".*compares the examples of a batch.*trainer\.devices=1.*": "a batch divided over processes",
    r"model\.generator\.start_from( is missing|: model\.generator has no key).*": "a second stage without the first",
    r"features=inception.*|.*torch-fidelity.*|.*inception.*weights.*": "weights that are not here",
}
