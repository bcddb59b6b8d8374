"""Objects without images of their own, as a page shows them: reports, waveforms, plans and others."""
