"""Stored bytes: objects created once, results committed by digest, one owner of an output."""
