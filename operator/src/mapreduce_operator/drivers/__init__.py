"""What starts and stops workers: processes of this machine, or Pods."""
