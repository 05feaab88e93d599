"""From detections to tracks: objects that keep their number from frame to frame."""
