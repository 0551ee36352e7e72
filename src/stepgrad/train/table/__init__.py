"""A network on a person's own table: settings, the job itself, the trained model, and what came out."""
