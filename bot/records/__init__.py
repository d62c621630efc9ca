"""The record kernel: who acts (Actor), in what transaction (Tx), on what (Entity), leaving what (Event)."""
