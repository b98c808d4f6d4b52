"""The selection stage: from stored vectors to chosen rows, by the method that the spec names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
