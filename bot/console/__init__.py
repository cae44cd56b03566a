"""The console: server-rendered pages for people who run Signalbox. Plugins add pages as values."""
