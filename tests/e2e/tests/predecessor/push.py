"""The predecessor pushes a channel folder: packages with push-cache, then its index."""

import datetime
import sys

from conda_oci_mirror.mirror import Mirror
from conda_oci_mirror.repo import PackageRepo

registry, channel, subdir, cache = sys.argv[1:]
mirror = Mirror(channel, [], [subdir], registry, cache, insecure=True, timeout=0)
mirror.push_all(serial=True)
folder = f"{cache}/{channel}/{subdir}"
repo = PackageRepo(
    channel, subdir, folder, mirror.registry, client=mirror.client, mirror_shards=False
)
# The index is the folder's, not conda.anaconda.org's.
repo.timestamp = datetime.datetime.now().astimezone()
repo.upload(folder)
