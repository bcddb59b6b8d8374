"""A published archive: a folder that any file server can serve; `writing` makes it, `archive` reads it over http(s).

::

    published.json                     format version, change number, digests of the tables; written last
    index/<table>-<digest>.parquet     patients, studies, series; objects and what they refer to
    volumes/…                          revisions of series, as in the archive: OME-Zarr, thumbnails, passports
    originals/…                        tar files of the received objects, where they were asked for
    catalog.yml                        for intake

All but ``published.json`` and ``catalog.yml`` are named by what they hold, and never change.
"""
