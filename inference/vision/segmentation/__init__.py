"""Small networks that say which part of a picture is its subject, a face, or what words name."""
