"""All that detection needs, in numpy only: front end, engine, second stage, detector and model files."""
