"""botocore's loader of data files, looking where `engine.service_models` looks: clients know what `validate` knows.

Files that cannot be used end in one error that names them. Services are not searched for in all folders before one
is read, and JSON becomes plain tables: a first client is made in half of the time.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

from engine.service_models.model_file import read_json, service_model
from engine.service_models.search import MODEL, SHIPPED_FOLDER, botocore_folder, user_folders


@cache
def service_loader(data_path: str | None) -> ServiceLoader:
    """Return the loader for what AWS_DATA_PATH or a profile's `data_path` says: one a process."""
    return ServiceLoader(data_path)


class DataFiles(JSONFileLoader):  # type: ignore[misc]  # the library has no types
    """Reads the files of data, each with or without compression."""

    def _load_file(self, full_path: str, _open_method: Any) -> Any:
        return read_json(full_path) if os.path.isfile(full_path) else None  # noqa: PTH113 as the library asks


class ServiceLoader(Loader):  # type: ignore[misc]
    """What clients read models, endpoints and retry rules with."""

    def __init__(self, data_path: str | None) -> None:
        folders = [*user_folders(data_path), SHIPPED_FOLDER, botocore_folder()]
        super().__init__(folders, DataFiles(), include_default_search_paths=False)
        self._data_path = data_path

    def list_available_services(self, _type_name: str) -> list[str]:
        """Return what may be a service: every folder's name, without a look into hundreds of folders."""
        found: set[str] = set()
        for folder in filter(os.path.isdir, self.search_paths):
            found.update(os.listdir(folder))  # noqa: PTH208 names, no paths
        return sorted(found)

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Return a file that describes a service: its model, or its endpoints, paginators or waiters."""
        if type_name != MODEL or api_version is not None:
            return super().load_service_model(service_name, type_name, api_version)
        return service_model(service_name, self._data_path).content
