"""What mitmdump loads by its path: `recorder addon NAME` prints it, and `addons/` of a checkout leads here."""
