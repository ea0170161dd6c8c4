"""The local page of `dynamics365 configure`, in the browser of the person who runs it."""
