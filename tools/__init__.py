"""What the workshop needs: documents, gates, the demonstration. Not part of the product."""
