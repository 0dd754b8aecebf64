"""Control of a running kwsd: by signals, by the clock, and by `kwsd ctl` through a socket."""
