"""What holds results together that are not independent of each other."""

import pandas as pd


def cluster_labels(
    groups: "pd.Series[str]", sample_ids: "pd.Series[str]"
) -> "pd.Series[str] | None":
    """A label for each result: its group, or its sample where it has no group.

    None if no two results share a label: then all are independent.
    """
    alone = "sample " + sample_ids
    labels = ("group " + groups).fillna(alone)
    return labels if labels.duplicated().any() else None
