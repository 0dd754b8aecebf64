"""What runs on the device, in numpy only: front end, engine, trigger, detector, model file reader."""
