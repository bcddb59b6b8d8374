"""The catalog of a published archive, which intake reads as a file at its root."""

ENTRIES = """\
# A published archive as an intake catalog: cat = intake.open_catalog("https://…/catalog.yml")
version: 2
metadata:
  description: Studies, series and volumes of a published archive
aliases: {studies: studies, series: series, volume: volume, by_uid: by_uid}
user_parameters: {}
data:
  archive:
    datatype: pacs_panel.catalog:ArchiveData
    kwargs:
      url: "{CATALOG_DIR}"
    metadata: {}
    user_parameters: {}
entries:
  studies:  # a table; cat["studies"](StudyDate="20250101-").read()
    reader: pacs_panel.catalog:Studies
    kwargs: {data: "{data(archive)}"}
    output_instance: pandas:DataFrame
    metadata: {}
    user_parameters: {}
  series:  # a table; cat["series"](Modality="CT", columns=["SeriesInstanceUID", "Manufacturer"]).read()
    reader: pacs_panel.catalog:SeriesTable
    kwargs: {data: "{data(archive)}"}
    output_instance: pandas:DataFrame
    metadata: {}
    user_parameters: {}
  volume:  # cat["volume"](series_uid="1.2.3", stack=0, level=1).read()
    reader: pacs_panel.catalog:Volume
    kwargs: {data: "{data(archive)}"}
    output_instance: xarray:Dataset
    metadata: {}
    user_parameters: {}
  by_uid:  # every series by its UID: cat["by_uid"]["1.2.3"].read()
    reader: pacs_panel.catalog:ByUid
    kwargs: {data: "{data(archive)}"}
    output_instance: pacs_panel.catalog:ArchiveCatalog
    metadata: {}
    user_parameters: {}
"""
