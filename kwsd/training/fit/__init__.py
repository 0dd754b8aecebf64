"""Training: recipes, losses, distillation, the teacher, pruning and searches."""
