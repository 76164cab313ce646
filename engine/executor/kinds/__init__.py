"""What sets apps apart from profiles and spaces. What they have in common is in `operation`, `course` and `lane`."""
