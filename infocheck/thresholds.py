"""Every threshold of a verdict, in one place, under one version.

A threshold changes only together with the validation study. ``need`` is what a
stage must reach, ``floor`` is the value below which it is limiting.
"""

VERSION = "2026.1"

# Measurement: a regulator is readable at this reliability ...
READABLE = 0.20
# ... and this share of regulators must be readable (both conventions).
READABLE_SHARE_NEED = 0.50
READABLE_SHARE_FLOOR = 0.20

# Sampling: agreement of partial correlations between halves of the data.
# The need was measured in the preliminary study; the floor is a convention.
STABILITY_NEED = 0.20
STABILITY_FLOOR = 0.10

# Predictability: mean out-of-sample R² of targets on all regulators (measured in the
# preliminary study); the floor is the 95th percentile of the permuted null.
PREDICTABILITY_NEED = 0.05

# Specificity: z of the gain in R² over matched decoys (measured in the preliminary study).
# There is no floor: decoys may be siblings of the targets.
SPECIFICITY_NEED = 2.0

# Modules: agreement of plain correlations between halves (conventions, not validated).
MODULES_NEED = 0.40
MODULES_FLOOR = 0.20

# Confounding: median share of a gene's variance owned by batch and donor, at most (convention).
CONFOUNDED_NEED = 0.15

# Variation between groups and nothing beside it: so many of the strongest edges vanish within
# recorded factors, and halves agree on what is left below the floor of stability. At most
# borderline then (convention).
VANISHING_EDGES = 0.50

# Proxy: correlation of a regulator's mRNA with its activity (convention). There is no floor:
# a weak proxy costs samples and rules nothing out.
COUPLING_NEED = 0.50

# Explanation only: a regulator counts as told from a rival that it beats this often (convention).
TOLD_APART = 0.90

# Explanation only: a rate counts as known when its 95 % interval reaches at most this factor
# to either side (convention).
RATE_FOLD = 2.0

# Explanation only: bits that the data hold over bits that a choice of regulators takes.
# Below 1 Fano's inequality rules exact recovery out; a definition, not a convention.
BITS_NEED = 1.0
BITS_FLOOR = 1.0

# Upper bound: added to what simulated targets reach; with it the bound held on all data sets
# of the preliminary study.
BOUND_MARGIN = 0.02

# Fewer observations than this cannot be split into halves or folds.
MIN_OBSERVATIONS_SAMPLING = 10
# Fewer than this are refused.
MIN_OBSERVATIONS = 5
MIN_REGULATORS = 3
# Fewer labelled donors than this cannot be kept whole in halves.
MIN_DONORS = 6

# Rows that share noise make stability rise falsely, so it is at most borderline. Limits
# that independent rows do not pass, by theory and a margin (conventions):
# share of rows that repeat another ...
REPEATED_ROWS = 0.05
# ... difference of neighbours over their counting noise, 1 or more for separate reads ...
SHARED_READS = 0.95
# ... correlation of unexplained residuals of neighbours, 0 for separate noise ...
SHARED_NOISE = 0.10
# ... and share of directions that the rows fill, 1 where each gene has noise of its own.
FILLED_DIRECTIONS = 1 / 3

# Responses to fewer perturbations than this have no mean that another could be held against,
# and over fewer genes than this no correlation (conventions).
MIN_PERTURBATIONS = 5
MIN_RESPONSE_GENES = 10

# Explanation only: another study is worth considering when it finds at least this share of
# edges more, over its whole interval, and not worth doing when it cannot (convention).
WORTH_GAIN = 0.02

# A selector keeps its promise when at most this share is false where so much is promised
# (measured in the preliminary study), and it can only be judged with so many discoveries.
NOMINAL_FDR = 0.10
REALISED_FDR_NEED = 0.15
EXPECTED_DISCOVERIES = 10

# Other questions than a network (all conventions). A gene is a marker when labelled types own
# at least this share of its variance ...
MARKER_SHARE = 0.10
# ... a difference between conditions is within reach at so many standard deviations ...
DETECTABLE_EFFECT = 5.0
# ... and a genetic effect when it explains this share of what differs between donors.
VARIANT_SHARE = 0.50

# Perturbations: this share of those labelled must move expression beyond their own gene
# (convention), and so many of them must be of regulators before they say anything of these.
RESPONDING_NEED = 0.50
MIN_MOVED_REGULATORS = 3
