"""The ablation matrix: presets, plan, runner, stored cells, deltas."""
