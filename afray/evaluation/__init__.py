"""What a selection is worth: probes, a full finetune, and the protocol that compares methods. No Ray in here."""
