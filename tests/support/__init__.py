"""What several folders of tests share: an application over inline plugins, and a learner that is quick."""
